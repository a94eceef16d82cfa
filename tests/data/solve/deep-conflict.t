# The conflict lies two steps below what was asked for.
repo base
=Pkg: app 1 1 noarch
=Req: lib = 1
=Pkg: tool 1 1 noarch
=Req: lib = 2
=Pkg: lib 1 1 noarch
=Pkg: lib 2 1 noarch
end
install app
install tool
problem app
problem tool
problem cannot install both lib-
