repo base
=Pkg: newname 2 1 noarch
=Obs: oldname < 2
=Prv: oldname = 2
=Pkg: oldname 1 1 noarch
=Pkg: app 1 1 noarch
=Req: oldname
end
install app
result app-1-1.noarch
result newname-2-1.noarch
