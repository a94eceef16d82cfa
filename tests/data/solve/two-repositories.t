# The newest version wins, wherever it lies.
repo base
=Pkg: app 1 1 noarch
end
repo updates
=Pkg: app 2 1 noarch
end
install app
result app-2-1.noarch
