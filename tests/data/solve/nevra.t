repo base
=Pkg: app 1 1 x86_64
=Pkg: app 2 1 x86_64
=Pkg: tool 1:3 4 x86_64
end
install app-1-1.x86_64
install tool = 1:3
result app-1-1.x86_64
result tool-1:3-4.x86_64
