# A rich dependency counts only when its condition holds.
repo base
=Pkg: app 1 1 noarch
=Req: lang & <IF> desktop
=Pkg: plain 1 1 noarch
=Req: extra <IF> absent
=Pkg: extra 1 1 noarch
=Pkg: lang 1 1 noarch
end
install plain
result plain-1-1.noarch
