repo base
=Pkg: app 1 1 noarch
=Req: lib
=Pkg: lib 1 1 noarch
end
install app
exclude lib
problem 'app' (list:6)
problem lib
