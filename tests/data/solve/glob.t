repo base
=Pkg: font-a 1 1 noarch
=Pkg: font-b 1 1 noarch
=Pkg: other 1 1 noarch
end
install font-*
result font-a-1-1.noarch
result font-b-1-1.noarch
