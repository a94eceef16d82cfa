repo base
=Pkg: app 1 1 noarch
=Rec: nice
=Pkg: nice 1 1 noarch
end
install app
result app-1-1.noarch
