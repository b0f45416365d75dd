"""Codes of languages: a closed list, because a code that a file states reaches names of groups and the report."""

from __future__ import annotations

_LETTERS = (
    "a:abefkmnrsvyz b:aeghimnors c:aehorsuvy d:aevz e:elnostu f:afijory g:adlnuv h:aeiortuyz i:adegikostu j:av "
    "k:agijklmnorsuvwy l:abginotuv m:ghiklnrsty n:abdeglnorvy o:cjmrs p:ailst q:u r:mnouw s:acdegiklmnoqrstuvw "
    "t:aeghiklnorstwy u:gkrz v:eio w:ao x:h y:io z:ahu "
)
"""First letter of codes, and the second letters that follow it."""

ISO_639_1 = frozenset(one[0] + second for one in _LETTERS.split() for second in one[2:])
