repo base
=Pkg: app 1 1 noarch
=Rec: nice
=Pkg: nice 1 1 noarch
end
install app
recommends
result app-1-1.noarch
result nice-1-1.noarch
