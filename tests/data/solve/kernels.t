# Packages that say so may be there twice.
repo base
=Pkg: kernel 5 1 x86_64
=Prv: installonlypkg(kernel)
=Pkg: kernel 6 1 x86_64
=Prv: installonlypkg(kernel)
end
install kernel = 5
install kernel = 6
result kernel-5-1.x86_64
result kernel-6-1.x86_64
