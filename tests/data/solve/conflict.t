repo base
=Pkg: left 1 1 noarch
=Con: right
=Pkg: right 1 1 noarch
end
install left
install right
problem left-1-1.noarch conflicts with right provided by right-1-1.noarch
hint take one of them out
