"""Run uWSGI in this interpreter with the given arguments."""

import sys

import pyuwsgi

pyuwsgi.run(sys.argv[1:])
