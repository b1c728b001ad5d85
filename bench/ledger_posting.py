"""Posting: the release of an escrow (3 legs), compared with the minimum cost of writing the same rows.

The floor is one prepared statement that writes 1 header, 3 entries and 3 balances with the same indexes, on
accounts that it knows by id: no account is looked up, no row locked first, nothing checked. Both are driven by
pgbench, in turns, so that whatever else the machine does falls on both. So are batches of the same releases, posted
with ledger_post_many in one transaction each: their rate is that of single releases.
"""

import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import psycopg

from bench import machine, servers
from bench.report import Report
from stack import binaries

CLIENTS = 16
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
FLOOR_SHARE = 0.5
BATCH = 50
BATCH_SHARE = 1.3
ONE_ACCOUNT_SHARE = 0.9
SETUP = Path(__file__).with_name("ledger_posting.sql")

DICE = r"""
\set held random(1, 10000)
\set payee random(1, 10000)
\set key random(1, 9000000000000000000)
"""
POST = """
SELECT ledger_post('escrow_released', 'bench', 'release:' || {key}, now(), 'Release', '{{}}',
    NULL, ARRAY['bench-held:' || ({held}), 'bench-payee:' || ({payee}), {fees}], '{{USD,USD,USD}}',
    '{{0,0,NULL}}', '{{1,1,{shards}}}', '{{-10000,8500,1500}}')
"""
POST_MANY = """
SELECT ledger_post_many(headers.kinds, headers.scopes, headers.keys, headers.moments, headers.texts, headers.details,
                        headers.reverses, headers.legs, legs.codes, legs.currencies, legs.floors, legs.shards,
                        legs.amounts)
  FROM (SELECT array_agg('escrow_released'::text) AS kinds, array_agg('bench'::text) AS scopes,
               array_agg('batch:' || :key::bigint || ':' || n) AS keys, array_agg(now()) AS moments,
               array_agg('Release'::text) AS texts, array_agg('{{}}'::jsonb) AS details,
               array_agg(NULL::uuid) AS reverses, array_agg(3::smallint) AS legs
          FROM generate_series(1, {batch}) n) headers,
       (SELECT array_agg(code ORDER BY n, position) AS codes, array_agg('USD'::text) AS currencies,
               array_agg(floor ORDER BY n, position) AS floors,
               array_agg(shards::smallint ORDER BY n, position) AS shards,
               array_agg(amount ORDER BY n, position) AS amounts
          FROM generate_series(1, {batch}) n CROSS JOIN LATERAL (VALUES
               (1, 'bench-held:' || 1 + (:held::bigint + n * 197) % 10000, 0::bigint, 1, -10000::bigint),
               (2, 'bench-payee:' || 1 + (:payee::bigint + n * 389) % 10000, 0, 1, 8500),
               (3, 'bench-fees', NULL, 32, 1500)) leg (position, code, floor, shards, amount)) legs
"""
FLOOR = """
WITH header AS (
    INSERT INTO bench_transaction (id, kind, scope, key, request_hash, legs, effective_at, created_at,
                                   description, details)
    VALUES (gen_random_uuid(), 'escrow_released', 'bench', 'release:' || :key,
            '\\x0000000000000000000000000000000000000000000000000000000000000000', 3, now(), now(), 'Release', '{{}}')
    RETURNING id),
moved AS (
    UPDATE bench_balance balance
       SET debits_minor = balance.debits_minor + leg.debit, credits_minor = balance.credits_minor + leg.credit,
           balance_minor = balance.balance_minor + leg.credit - leg.debit,
           sequence = balance.sequence + 1, recorded_at = now()
      FROM (VALUES (1::smallint, {held} + :held::bigint, 0::smallint, 10000::bigint, 0::bigint),
                   (2, {payee} + :payee, 0, 0, 8500),
                   (3, {fees}, (pg_backend_pid() % 32)::smallint, 0, 1500))
                   leg (position, account, shard, debit, credit)
     WHERE balance.account_id = leg.account AND balance.shard = leg.shard
    RETURNING leg.position, leg.credit - leg.debit AS amount,
              balance.account_id, balance.shard, balance.sequence, balance.balance_minor)
INSERT INTO bench_entry (transaction_id, position, account_id, shard, sequence, currency, amount_minor,
                         balance_after_minor, created_at)
SELECT header.id, position, account_id, shard, sequence, 'USD', amount, balance_minor, now() FROM header, moved;
"""


def main() -> int:
    """Run the benchmark; return 1 if a bound was missed."""
    with servers.running() as up, tempfile.TemporaryDirectory() as folder:
        url = up.here.database_url
        report = Report("Ledger: posting a release", clients=CLIENTS, rounds=ROUNDS, seconds_per_round=SECONDS)
        machine.show(url)
        scripts = write_scripts(Path(folder), prepare(url))
        measure(report, url, scripts)
        report.figure("one fee account, psycopg, 16 threads of one process", f"{through_psycopg(url):.0f} per second")
        began = time.perf_counter()
        up.programs.finish("check_ledger", [*servers.MANAGE, "check_ledger", "--without-provider"], up.environment)
        report.figure("ledger checked afterwards (check_ledger)", f"{time.perf_counter() - began:.1f} s")
        return report.status()


def prepare(url: str) -> Mapping[str, int]:
    """Open the accounts; return the id before the first of each kind, and the id of the shared fee account."""
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(SETUP.read_bytes())
        database.execute("VACUUM ANALYZE")
        database.execute("CHECKPOINT")
        rows = database.execute(
            "SELECT regexp_replace(code, ':.*', ''), min(id) - 1 FROM ledger_account"
            " WHERE code LIKE 'bench-%:%' GROUP BY 1 UNION ALL"
            " SELECT 'one', id FROM ledger_account WHERE code = 'bench-fees'"
        ).fetchall()
    return dict(rows)


def write_scripts(folder: Path, ids: Mapping[str, int]) -> dict[str, Path]:
    """Return the scripts for pgbench, by what they measure."""
    variables = {"key": ":key", "held": ":held", "payee": ":payee"}
    texts = {
        "floor": FLOOR.format(held=ids["bench-held"], payee=ids["bench-payee"], fees=ids["one"]),
        "one fee account": POST.format(fees="'bench-fees'", shards=32, **variables),
        "batches": POST_MANY.format(batch=BATCH),
        "32 fee accounts": POST.format(fees="'bench-fees:' || :client_id", shards=1, **variables),
    }
    scripts = {}
    for number, (name, text) in enumerate(texts.items()):
        scripts[name] = folder / f"{number}.sql"
        scripts[name].write_text(f"{DICE}{text.strip().rstrip(';')};\n")
    return scripts


def measure(report: Report, url: str, scripts: Mapping[str, Path]) -> None:
    """Run all scripts in turns, in alternating order; compare each with the floor of the same round."""
    rates: dict[str, list[float]] = {name: [] for name in scripts}
    for number in range(ROUNDS + 1):
        for name in list(scripts)[:: -1 if number % 2 else 1]:
            rate = pgbench(url, scripts[name]) * (BATCH if name == "batches" else 1)
            if number:  # The first round warms up.
                rates[name].append(rate)
    for name, found in rates.items():
        spread = f"({min(found):.0f} to {max(found):.0f})"
        report.figure(f"{name}, pgbench", f"median {statistics.median(found):.0f} per second {spread}")
    report.at_least("one fee account / floor", _ratio(rates, "one fee account", "floor"), FLOOR_SHARE)
    report.at_least(f"batches of {BATCH} / floor", _ratio(rates, "batches", "floor"), BATCH_SHARE)
    shared = _ratio(rates, "one fee account", "32 fee accounts")
    report.at_least("one fee account / 32 fee accounts", shared, ONE_ACCOUNT_SHARE)


def _ratio(rates: Mapping[str, list[float]], name: str, base: str) -> float:
    """Return the median over the rounds of the ratio of two rates."""
    return statistics.median(one / other for one, other in zip(rates[name], rates[base], strict=True))


def pgbench(url: str, script: Path) -> float:
    """Return the transactions per second of a script. Raises RuntimeError if any of them failed."""
    command = [str(binaries.wheel_install() / "bin" / "pgbench"), "--no-vacuum", "--protocol=prepared"]
    command += [f"--client={CLIENTS}", "--jobs=2", f"--time={SECONDS}", f"--file={script}", url]
    done = subprocess.run(command, capture_output=True, text=True)
    rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    if done.returncode or rate is None or "ERROR" in done.stderr:
        raise RuntimeError(f"pgbench ended with {done.returncode}: {done.stderr.strip()}")
    return float(rate[1])


def through_psycopg(url: str) -> float:
    """Return the postings per second of threads that each commit one posting after the other."""
    anyone = "1 + %s %% 10000"
    statement = POST.format(key="%s::text", held=anyone, payee=anyone, fees="'bench-fees'", shards=32)
    counts = [0] * CLIENTS
    end = time.perf_counter() + 2 * SECONDS

    def post(client: int) -> None:
        with psycopg.connect(url, autocommit=True) as database:
            while time.perf_counter() < end:
                seed = client * 1_000_003 + counts[client] * 7919
                database.execute(statement, [str(uuid4()), seed, seed // 3], prepare=True)
                counts[client] += 1

    threads = [threading.Thread(target=post, args=(client,)) for client in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


if __name__ == "__main__":
    raise SystemExit(main())
