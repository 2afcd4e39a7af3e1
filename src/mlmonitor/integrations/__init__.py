"""Integrations with servers and other libraries, one module each.

Importing a module does not import the library that it integrates.
"""
