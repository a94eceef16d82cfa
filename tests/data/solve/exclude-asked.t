repo base
=Pkg: app 1 1 noarch
end
install app
exclude app
problem 'app' (list:4)
problem package app-1-1.noarch is excluded by a '-' line of the list
