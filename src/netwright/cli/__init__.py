"""The command line: one module for each verb, which parses, calls one function and prints.

A verb is a module with a ``typer.Typer`` called ``app``, named in ``netwright.cli.main.VERBS``. All of them
are imported for ``netwright --help``, so whatever takes long to import is imported inside the function.
"""
