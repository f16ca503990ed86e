#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs crun's tests, all of their files in one process: python takes its time to start in the test host.

  suite.py DIRECTORY [NAME ...]     the named tests, or all

Prints "ok NUMBER - NAME" or "not ok NUMBER - NAME" as the tests' own programs do. A test that hangs has failed.
"""
import glob
import importlib
import os
import signal
import sys

SECONDS = 120  # for a single test; some start three containers


def limited(test):
    def run():
        late = []

        def hung(signum, frame):
            late.append(True)
            raise TimeoutError(f"not done within {SECONDS} s")

        signal.signal(signal.SIGALRM, hung)
        signal.alarm(SECONDS)
        try:
            result = test()
        finally:
            signal.alarm(0)
        return -1 if late else result  # to some tests any exception is a success
    return run


def main():
    directory, *names = sys.argv[1:]
    sys.path.insert(0, directory)
    tests = {}
    for path in sorted(glob.glob(os.path.join(directory, "test_*.py"))):
        tests.update(importlib.import_module(os.path.basename(path)[:-3]).all_tests)
    for name in names:
        if name not in tests:
            sys.exit(f"no test: {name}")
    importlib.import_module("tests_utils").tests_main(
        {name: limited(test) for name, test in tests.items() if not names or name in names})


main()
