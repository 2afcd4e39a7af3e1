"""Runs uWSGI with the arguments given, in this interpreter."""

import sys

import pyuwsgi

pyuwsgi.run(sys.argv[1:])
