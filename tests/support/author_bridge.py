"""Substitutes and the author's version in one process, with the wire's bytes between them."""

from lmcourse.grading.bridge import substitutes
from lmcourse.grading.bridge.authors_answers import AuthorsAnswers
from lmcourse.grading.bridge.wire import Packer, Unpacker


class AuthorBridge:
    """Plays `learner_side.Service` and the judge's `Link`, each with what only it can know."""

    def __init__(self, source):
        self.author = AuthorsAnswers([source])
        self.asked = True
        self.questions = []
        self._things = []

    def names(self, *names, own=None):
        """A namespace with substitutes for these names."""
        scope = dict(own or {})
        described = self.author.allow(names)
        assert [one["why"] for one in described] == [""] * len(names), described
        substitutes.put(scope, described)
        return [scope[name] for name in names]

    def ask_author(self, request):
        self.questions.append(request)
        form, block = self._packed(request, self._handle)
        answer = self.author.answer(form, block, self._proxy)
        form, block = self._packed(answer)
        return Unpacker(block, self._thing).unpack(form)

    def _proxy(self, form):
        """What `proxies.Remote` does when it is called."""

        def call(*args):
            form_of_args, block = self._packed(list(args))
            result, block = self._packed(self._thing(form)(*Unpacker(block).unpack(form_of_args)))
            return Unpacker(block).unpack(result)

        return call

    def _handle(self, thing):
        self._things.append(thing)
        return {"h": len(self._things) - 1}

    def _thing(self, form):
        return self._things[form["h"]]

    @staticmethod
    def _packed(value, other=None):
        packer = Packer(other)
        form = packer.pack(value)
        return form, b"".join(packer.blocks)
