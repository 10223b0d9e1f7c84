"""Phones as device ends of the bench: what is put on one, what it is asked, what it answers."""
