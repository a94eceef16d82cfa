repo base
=Pkg: app 1 1 noarch
=Req: editor
=Pkg: ed-a 1 1 noarch
=Prv: editor
=Pkg: ed-b 1 1 noarch
=Prv: editor
end
install app
exclude ed-a
result app-1-1.noarch
result ed-b-1-1.noarch
