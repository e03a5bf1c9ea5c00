#!/usr/bin/env python3
"""Squeezes a running `quern generate --memory` and looks at what it does. Needs root and Linux.

In a memory cgroup (v1 or v2) with a limit, a competing process takes what is left while the model
generates, holds it, and frees it. Printed: how fast the cache gave memory back, whether it grew again,
whether anything was killed, and whether the text is that of an undisturbed run.

usage: squeeze-test.py PACK [MEMORY] [TOKENS]
"""
import json, os, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
V1 = "/sys/fs/cgroup/memory"
SPARE = 900 << 20  # of the group beside what the model may take
LEFT = 60 << 20  # by the competitor: far below the reserve that the model's memory watch keeps
HOG = """
import sys, time
held = bytearray(int(sys.argv[1]))
for i in range(0, len(held), 4096): held[i] = 1
print("held", flush=True); time.sleep(float(sys.argv[2])); del held
print("freed", flush=True)
"""


def size(text):
    unit = {"k": 10**3, "m": 10**6, "g": 10**9}[text[-1].lower()]
    return int(float(text[:-1]) * unit)


def cgroup(limit):
    v1 = os.path.isdir(V1)
    path = f"{V1 if v1 else '/sys/fs/cgroup'}/quern-squeeze-{os.getpid()}"
    os.mkdir(path)
    with open(f"{path}/{'memory.limit_in_bytes' if v1 else 'memory.max'}", "w") as f:
        f.write(str(limit))
    return path


def left(group):
    v1 = group.startswith(V1)
    def number(name):
        with open(f"{group}/{name}") as f:
            return int(f.read())
    used = number("memory.usage_in_bytes" if v1 else "memory.current")
    with open(f"{group}/memory.stat") as f:
        stat = dict(line.split() for line in f)
    reclaimable = int(stat["total_inactive_file" if v1 else "inactive_file"])
    return number("memory.limit_in_bytes" if v1 else "memory.max") - used + reclaimable


def start(group, command):
    def enter():
        with open(f"{group}/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
    return subprocess.Popen(command, preexec_fn=enter, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def anonymous(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return next(int(l.split()[1]) * 1024 for l in f if l.startswith("Pss_Anon:"))
    except (OSError, StopIteration):
        return None


def main():
    pack, memory, tokens = sys.argv[1], (sys.argv[2:] or ["700m"])[0], (sys.argv[3:] or ["900"])[0]
    command = [f"{ROOT}/quern", "generate", "--model", pack, "--prompt", "Once upon a time", "--max-tokens", tokens,
               "--memory", memory, "--temperature", "1", "--seed", "1", "--json"]
    group = cgroup(size(memory) + SPARE)
    try:
        quiet = start(group, command)
        expected = json.loads(quiet.communicate()[0])
        run = start(group, command)
        time.sleep(10)
        if run.poll() is not None:
            sys.exit("the model ended before it could be squeezed: more tokens are needed")
        before = anonymous(run.pid)
        hog = start(group, [sys.executable, "-c", HOG, str(left(group) - LEFT), "6"])
        begun = time.time()
        samples = []
        while hog.poll() is None:
            samples.append((time.time() - begun, anonymous(run.pid)))
            time.sleep(0.02)
        freed = time.time()
        low = min(a for _, a in samples if a)
        alive = run.poll() is None
        first = next((t for t, a in samples if a and a < before - (20 << 20)), None)
        grown = None
        while run.poll() is None:
            now = anonymous(run.pid)
            if now and grown is None and now > before - (30 << 20):
                grown = time.time() - freed
            time.sleep(0.1)
        out, err = run.communicate()
        found = json.loads(out)
        print(f"anonymous memory before {before / 1e6:.0f} MB, least under pressure {low / 1e6:.0f} MB")
        print(f"shrinking began {first:.2f} s after the competitor did" if first else "it did not shrink")
        print(f"back at its size {grown:.1f} s after the competitor left" if grown else "not back at its size")
        print("the model was at work all the time" if alive else "THE MODEL HAD ENDED: more tokens are needed")
        print(f"exit codes: model {run.returncode}, competitor {hog.returncode}")
        print("the same text" if found["text"] == expected["text"] else "ANOTHER TEXT")
        print(err.strip())
        return 0 if found["text"] == expected["text"] and run.returncode == 0 and first else 1
    finally:
        time.sleep(0.5)
        os.rmdir(group)


if __name__ == "__main__":
    sys.exit(main())
