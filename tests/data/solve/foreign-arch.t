repo base
=Pkg: app 1 1 aarch64
end
install app
problem app
