#!/usr/bin/env python3
"""Verify a proof of escrow without trusting whoever issued it. Needs Python 3.9 or later and nothing else.

    python3 verify_proof.py my-proof.json
    python3 verify_proof.py statement-1.json statement-2.json --public-key 3d40...

A file is what the page /proof/ or your wallet lets you download. For each file this checks
 1. that the statement was signed with the private half of its public key (Ed25519, RFC 8032);
 2. for each currency, whether what is owed to people is covered by what the providers hold;
 3. for each leaf, that the path from it leads to the root that was signed, and that the sums on the path add up to
    what is owed in all. No sum is negative, so nothing can hide a part of what is owed;
 4. that your leaves are under your own number, if the file is a personal proof;
 5. of statements whose numbers follow each other, that each names the one before it.
Read the printed balances: they are those that the signed total includes. Exit status 0 if all holds, else 1.
"""

import argparse
import base64
import hashlib
import json
import sys

P = 2**255 - 19  # Ed25519: the field, the order of the base point, the constant of the curve.
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


class Invalid(Exception):
    """Why a proof does not hold."""


def add(a, b):
    """Add two points of the curve, in extended coordinates."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P


def multiply(number, point):
    """Add a point to itself so many times."""
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def decompress(data):
    """Return the point that 32 bytes stand for."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise Invalid("a key or signature is not a point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def is_signed(text, signature, public_key):
    """Return whether an Ed25519 signature belongs to a text and a public key."""
    if len(signature) != 64 or len(public_key) != 32:
        return False
    base = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    key, r, s = decompress(public_key), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + public_key + text).digest(), "little") % ORDER
    left, right = multiply(s, base), add(r, multiply(h, key))
    same = (left[0] * right[2] - right[0] * left[2]) % P == 0 == (left[1] * right[2] - right[1] * left[2]) % P
    return s < ORDER and same


def amount(value, what):
    """Return a sum; refuse what is not a whole number from zero on."""
    if type(value) is not int or value < 0:
        raise Invalid(f"{what} is {value!r}, not a whole number from 0 on")
    return value


def node(value, total):
    """Return hash and sum of a node as they are hashed into the node above."""
    return value + total.to_bytes(16, "big")


def climb(leaf, path):
    """Return hash and sum of the root above a leaf."""
    text = json.dumps(leaf, sort_keys=True, separators=(",", ":"))
    value = hashlib.sha256(b"\x00" + text.encode()).digest()
    total = sum(amount(minor, f"the amount {kind!r}") for kind, minor in leaf["amounts"].items())
    for step in path:
        other, minor = bytes.fromhex(step["hash"]), amount(step["sum"], "the sum of a node on the path")
        if step["side"] not in ("left", "right") or len(other) != 32:
            raise Invalid("a step of the path is not well formed")
        mine, theirs = node(value, total), node(other, minor)
        value = hashlib.sha256(b"\x01" + (theirs + mine if step["side"] == "left" else mine + theirs)).digest()
        total += minor
    return value.hex(), total


def shown(minor, decimals):
    """Write an amount in major units."""
    sign, digits = "-" if minor < 0 else "", str(abs(minor)).zfill(decimals + 1)
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits


def covering(each):
    """Return the lines about what is owed and held in one currency, and how what is held is known."""
    owed, code, held, decimals = amount(each["owed"], "what is owed"), each["currency"], each["held"], each["decimals"]
    verdict = "covered" if owed <= held else "NOT COVERED"
    lines = [f"  {code}: {shown(owed, decimals)} owed to people, {shown(held, decimals)} held: {verdict}"]
    if "held_reported" not in each:
        return lines
    parts = [each["held_" + part] for part in ("reported", "in_flight", "since", "unreported")]
    if held != sum(parts):
        raise Invalid(f"what is held in {code} is not the sum of its parts")
    reported, in_flight, since, unreported = (shown(part, decimals) for part in parts)
    if each["reported_at"]:
        lines.append(f"    {reported} reported by the providers, in full at {each['reported_at']} or later;")
        lines.append(f"    {in_flight} in flight then, {since} moved since by the issuer's books")
    if parts[3]:
        lines.append(f"    {unreported} in accounts that no provider reports, by the issuer's books")
    return lines


def verify(proof, expected_key=None):
    """Verify one file; return the content of its statement and lines to print. Raises Invalid."""
    public_key, text = bytes.fromhex(proof["public_key"]), proof["statement"].encode()
    if expected_key is not None and public_key.hex() != expected_key.lower():
        raise Invalid("the statement is signed with another public key than the one that you gave")
    if not is_signed(text, base64.b64decode(proof["signature"], validate=True), public_key):
        raise Invalid("the signature does not belong to this statement")
    statement = json.loads(text)
    lines = [f"statement {statement['number']} of {statement['date']} by {statement['issuer']}"]
    lines.append(f"  signed with the public key {public_key.hex()}: compare it with one from another source")
    currencies = {}
    for each in statement["currencies"]:
        currencies[each["currency"]] = each
        lines += covering(each)
    seen = set()
    for entry in proof.get("leaves", []):
        leaf = entry["leaf"]
        code, subject = leaf["currency"], leaf["subject"]
        if subject != proof["subject"] and not subject.startswith("escrow:"):
            raise Invalid(f"a leaf belongs to {subject}, not to {proof['subject']}")
        if (code, subject) in seen:
            raise Invalid(f"{subject} has two leaves in {code}")
        seen.add((code, subject))
        if code not in currencies or climb(leaf, entry["path"]) != (currencies[code]["root"], currencies[code]["owed"]):
            raise Invalid(f"the path of {subject} in {code} does not lead to the root that was signed")
        decimals = currencies[code]["decimals"]
        parts = ", ".join(f"{kind} {shown(minor, decimals)}" for kind, minor in sorted(leaf["amounts"].items()))
        lines.append(f"  included: {subject}: {parts} {code}")
    if "leaves" in proof and not proof["leaves"]:
        lines.append(f"  nothing was owed to {proof['subject']}, says the issuer: this file proves no balance")
    return statement, lines


def main(arguments=None):
    """Verify the files; print what they prove, or why they do not."""
    parser = argparse.ArgumentParser(description="Verify proofs of escrow.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--public-key", help="the key that the statements have to be signed with, in hexadecimal")
    given = parser.parse_args(arguments)
    digests = {}
    statements = []
    for name in given.files:
        try:
            with open(name, encoding="utf-8") as file:
                proof = json.load(file)
            statement, lines = verify(proof, given.public_key)
        except (Invalid, OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as problem:
            print(f"{name}: INVALID: {problem}", file=sys.stderr)
            return 1
        digests[statement["number"]] = hashlib.sha256(proof["statement"].encode()).hexdigest()
        statements.append(statement)
        print("\n".join(lines))
    for statement in statements:
        before = digests.get(statement["number"] - 1)
        if before is not None and before != statement["previous_statement"]:
            print(f"INVALID: statement {statement['number']} names another one before it", file=sys.stderr)
            return 1
    print("valid")
    return 0


if __name__ == "__main__":
    sys.exit(main())
