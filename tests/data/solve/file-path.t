repo base
=Pkg: vim 9 1 x86_64
=Prv: /usr/bin/vim
=Pkg: odd 1 1 x86_64
=Req: /usr/bin/vim
end
install odd
result odd-1-1.x86_64
result vim-9-1.x86_64
