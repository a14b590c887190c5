"""Texts with a grammar: expressions with their result, and output names with a preview."""

from __future__ import annotations

from app.theme.fonts import Role
from app.widgets.figures import written
from app.widgets.text import TextEditor
from app.words import tr
from backend.graph.expressions import ExpressionError, parse
from backend.sdk import UserError


class ExpressionEditor(TextEditor):
    """A formula over named numbers. It says its result, or what is wrong and where."""

    def text_role(self) -> Role:
        """Formulas are code."""
        return Role.CODE

    def look(self, text: str) -> None:
        """Its result where all names have values, or what is wrong."""
        try:
            self.say(self.result(text))
        except ExpressionError as error:
            self.say(str(error), True)

    def accepts(self, text: str) -> bool:
        """A document may hold a formula that is not yet right: its row says so."""
        return True

    def result(self, text: str) -> str:
        """``= 2``, or nothing where values are not known before the run.

        Raises:
            ExpressionError: it cannot be read, or names what is not there.
        """
        read = parse(text)
        known = self.context.names()
        read.check(known)
        values = {name: value for name, value in known.items() if value is not None}
        if not read.names <= values.keys():
            return ""
        return tr("= {value}", value=written(float(read.evaluate(values))))


class NameEditor(TextEditor):
    """An output name with fields in braces. It says what the first file will be called."""

    def look(self, text: str) -> None:
        """A preview, or what is wrong."""
        try:
            self.say(self.preview(text))
        except UserError as error:
            self.say(str(error), True)

    def preview(self, text: str) -> str:
        """The name with its fields filled, such as ``portraits/save-0001``.

        Raises:
            UserError: it is no name below the output folder.
        """
        from backend.media.names import fill

        named = fill(text, self.context.fields())
        return "/".join((*named.folders, named.stem(1)))
