"""Paymob (Egypt): the only package that knows its words.

What rests on secondary sources, such as code that calls Paymob, is marked "(secondary)" where it is used; the rest is
from Paymob's own documentation.
"""
