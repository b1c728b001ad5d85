"""A visit to every page, each by a user who may see it."""

from collections.abc import Iterator
from typing import Any

from tests.browser.conftest import NewPerson
from tests.browser.pages import Scene
from tests.browser.person import Person


def visits(
    scene: Scene, new_person: NewPerson, *, only: frozenset[str] = frozenset(), **context: Any
) -> Iterator[tuple[str, Person]]:
    """Lead people to each page (of `only`, if it names any); yield the page's name with who looks at it."""
    people: dict[str, Person] = {}
    for name, title, address in scene.pages():
        if only and title not in only:
            continue
        if name not in people:
            people[name] = new_person(**context)
            if name:
                people[name].sign_in(name)
        people[name].open(address)
        yield title, people[name]
