# SPDX-License-Identifier: GPL-2.0-only
# Prints the functions that a diff of headers (-U0) declares or defines in added lines, each name once.
use strict;
use warnings;

my ($text, %seen) = ('');
while (<STDIN>) {
    if (/^\+\+\+ |^@@/) { $text .= "\n;\n"; next }
    $text .= $_ if s/^\+//;
}
$text =~ s{/\*.*?\*/}{ }gs;
$text =~ s{\\\n}{ }g;
$text =~ s{^\s*#.*$}{}gm;
while ($text =~ /^(?!typedef\b)[a-zA-Z_][\w\s*]*?[\s*](\w+)\s*\([^;{}]*\)\s*[;{]/gm) {
    print "$1\n" unless $seen{$1}++;
}
