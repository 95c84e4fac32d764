# Makes the files that maps.cf names, in the folder $1; makemap is called as $2.
w=$1 makemap=$2
printf 'a A:%%0 1:%%1\nb %%1-%%2-%%1\nc %%%%lit %%9 x%%y %%\nd "q" <x> z\nsp.ace dot\n_u und\n' | $makemap hash $w/m
printf 'With Case\nUP up\n"q" quoted\n' | $makemap -f hash $w/f
printf 'n nul\n' | $makemap -N hash $w/n
printf 'a 1\na 2\nb %%0\n' | $makemap -d btree $w/dup
printf 'tk:tv:third\nsp ace:val ue\n:novalue\n# c\ndup:1\ndup:2\n' > $w/table
printf 'alpha\tone\nbeta\ttwo words\nGamma three\n' > $w/words
printf 'hosts files\naliases files\n' > $w/switch
printf '192.0.2.20\trelay.example.net relay\n192.0.2.77 aa bb.cc.dd # comment\n192.0.2.78 ee ff\n' > $w/hosts
printf '#!/bin/sh\ncase "$2" in boom) exit 1;; tmpf) exit 75;; none) exit 67;; esac\necho "prog:$1:$2:$#"\necho second line\n' > $w/prog
chmod 755 $w/prog
