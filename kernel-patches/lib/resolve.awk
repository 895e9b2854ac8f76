# SPDX-License-Identifier: GPL-2.0-only
# Resolves the conflicts of one file by recorded resolutions (docs/kernel.md shows one).
#   awk -v path=FILE -v open=UNSOLVED -f resolve.awk RESOLUTION... FILE
# prints FILE with every conflict replaced that has a resolution; the others stay, and are appended to UNSOLVED as
# resolutions without the last part. Exit status 1 if there are any, 3 if FILE ends within a conflict.
# A conflict is identified by its path and its three versions, not by patch or line: those change.

function marker(line) { return substr(line, 1, 7) }

function end_of_conflict() {
  if (!((path, conflict) in answer)) {
    unsolved++
    printf "# why:\nfile: %s\n%s--- becomes\n%s--- end\n\n", path, conflict, theirs >>open
    printf "%s", raw
    return
  }
  printf "%s", answer[path, conflict]
}

# a resolution
FILENAME != ARGV[ARGC - 1] {
  if (state == "" && $1 == "file:") { name = $2; state = "conflict"; conflict = answer_text = "" }
  else if (state == "conflict" && $0 == "--- becomes") state = "answer"
  else if (state == "conflict") conflict = conflict $0 "\n"
  else if (state == "answer" && $0 == "--- end") { answer[name, conflict] = answer_text; state = "" }
  else if (state == "answer") answer_text = answer_text $0 "\n"
  next
}

# the file: ours (the kernel being ported to), base and theirs (the 6.1 patch), with fixed labels instead of git's
marker($0) == "<<<<<<<" { inside = 1; part = 1; raw = $0 "\n"; conflict = "<<<<<<< this kernel\n"; theirs = ""; next }
inside && marker($0) == "|||||||" { part = 2; raw = raw $0 "\n"; conflict = conflict "||||||| 6.1, unpatched\n"; next }
inside && $0 == "=======" { part = 3; raw = raw $0 "\n"; conflict = conflict "=======\n"; next }
inside && marker($0) == ">>>>>>>" {
  raw = raw $0 "\n"
  conflict = conflict ">>>>>>> 6.1, patched\n"
  inside = 0
  end_of_conflict()
  next
}
inside { raw = raw $0 "\n"; conflict = conflict $0 "\n"; if (part == 3) theirs = theirs $0 "\n"; next }
{ print }

END { exit inside ? 3 : unsolved > 0 }
