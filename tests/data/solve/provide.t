# A provide, a versioned provide and a soname.
repo base
=Pkg: mta-a 1 1 noarch
=Prv: smtpd = 3
=Pkg: libz 1 1 x86_64
=Prv: libz.so.1()(64bit)
end
install smtpd >= 2
install libz.so.1()(64bit)
result libz-1-1.x86_64
result mta-a-1-1.noarch
