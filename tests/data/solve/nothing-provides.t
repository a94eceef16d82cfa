repo base
=Pkg: app 1 1 noarch
=Req: missing >= 4
end
install app
problem 'app' (list:5)
problem nothing provides missing >= 4 needed by app-1-1.noarch
hint take 'app' (list:5) out of the list
