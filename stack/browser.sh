#!/usr/bin/env bash
# Puts Debian's Chromium and a font with Arabic where the tests of pages find them: `stack/browser.sh`.
# Only root can; for others, and where there is no apt, it says what is skipped. With CI set that is an error.
set -euo pipefail

packages=(chromium fonts-noto-core)

has_chromium() { command -v chromium >/dev/null; }
has_arabic() { ! command -v fc-list >/dev/null || [ -n "$(fc-list :lang=ar file | head -n 1)" ]; }

without() {
    echo "$1, so the tests of pages are skipped: install it with 'sudo apt-get install ${packages[*]}'" >&2
    [ -n "${CI:-}" ] && exit 1
    exit 0
}

has_chromium && has_arabic && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing ${packages[*]}, for the tests of pages ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; } \
        >/dev/null 2>&1 || true
fi
has_chromium || without "Chromium is not here"
has_arabic || echo "A font with Arabic is not here: the pages in Arabic are tested, but their pictures show boxes." >&2
