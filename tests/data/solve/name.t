# A name takes the newest version and what it needs, no more.
repo base
=Pkg: app 1 1 noarch
=Pkg: app 2 1 noarch
=Req: lib >= 2
=Pkg: lib 1 1 noarch
=Pkg: lib 2 1 noarch
=Pkg: other 1 1 noarch
end
install app
result app-2-1.noarch
result lib-2-1.noarch
