"""Output of other libraries is suppressed, in several threads at once too."""

from __future__ import annotations

import logging
import sys
import threading
import warnings

import click

from styleexport.core.quiet import quiet


def test_streams_come_back_when_the_last_thread_has_left(capsys):
    stream, level = sys.stdout, logging.root.manager.disable
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with quiet():
            inside.set()
            leave.wait(5)

    with quiet():
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait(5)
        click.echo("nothing")
    click.echo("nothing either: the other thread is inside")
    leave.set()
    thread.join()
    assert sys.stdout is stream
    assert logging.root.manager.disable == level
    click.echo("something")
    assert capsys.readouterr().out == "something\n"


def test_it_nests_and_ends_with_an_error(capsys):
    try:
        with quiet(), quiet():
            warnings.warn("nobody sees it", stacklevel=1)
            logging.critical("nor this")
            raise ValueError
    except ValueError:
        click.echo("seen")
    assert capsys.readouterr() == ("seen\n", "")
