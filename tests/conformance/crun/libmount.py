# SPDX-License-Identifier: Apache-2.0
# As much of libmount's Python module, which Debian does not have, as crun's tests ask of it: a
# mountinfo file's entry of a mount point.


class Entry:
    def __init__(self, line):
        fields, _, rest = line.partition(" - ")
        self.target, self.vfs_options = fields.split()[4:6]
        self.fs_options = rest.split()[2]


class Table:
    def __init__(self, path):
        with open(path) as f:
            self.entries = [Entry(line) for line in f if " - " in line]

    def find_target(self, path):
        return next((e for e in reversed(self.entries) if e.target == path), None)
