repo base
=Pkg: coreutils 1 1 noarch
end
install coreutlis
problem list:4: no package in the repositories is named 'coreutlis' or provides it
hint did you mean 'coreutils'?
