#!/usr/bin/env bash
# Puts Debian's Chromium and a font with Arabic where the tests of pages find them: `stack/browser.sh`.
# The one without windows costs a third less processor time; where there is none, the whole one does as well.
# Only root can install; for others, and where there is no apt, it says what is skipped. With CI set that is an error.
set -euo pipefail

light=chromium-headless-shell whole=chromium font=fonts-noto-core

has() { command -v "$1" >/dev/null; }
has_chromium() { has "$light" || has "$whole"; }
has_arabic() { ! has fc-list || [ -n "$(fc-list :lang=ar file | head -n 1)" ]; }
can_install() { [ "$(id -u)" = 0 ] && has apt-get; }
install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; }

without() {
    echo "$1, so the tests of pages are skipped: install it with 'sudo apt-get install $light $font'" >&2
    [ -n "${CI:-}" ] && exit 1
    exit 0
}

has "$light" && has_arabic && exit 0
if can_install; then
    echo "Installing $light and $font, for the tests of pages ..."
    apt-get update -qq >/dev/null 2>&1 || true
    has "$light" || install "$light" "$font" || has "$whole" || install "$whole" "$font" || true
    has_arabic || install "$font" || true
fi
has_chromium || without "Chromium is not here"
has_arabic || echo "A font with Arabic is not here: the pages in Arabic are tested, but their pictures show boxes." >&2
