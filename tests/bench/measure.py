"""measure.py CASE TARGET: one measurement, inside tests/lib/inroot; see tests/bench/each."""
import os, shutil, statistics, subprocess, sys, time

sys.path.insert(0, "/tests/bench")
import mta

NO_LOAD = ("-OQueueLA=1000", "-ORefuseLA=1000")  # nobody is to wait because the machine is busy
COUNT = int(os.environ.get("BENCH_COUNT", "0"))


def relay(name, count, far=0, plain=False, options=()):
    """20 clients, 10 KiB, a connection each message; until the smart host has them all."""
    target, before = mta.target(name), mta.spent()
    host = mta.SmartHost(far, plain)
    target.start(*options)
    mta.wait_for_port()
    began, took, median, used = mta.clients(count, 20, 10240)
    end = host.wait(count)
    counted = host.counted()
    mta.stop_all()
    used += host.stop()
    mta.report(rate=count / (end - began), cpu_ms=(mta.spent() - before - used) / count * 1000, accept_ms=median,
               connections=counted["connections"], waits=counted["waits"] / count)


def calls(count, text, command):
    """A command so often, one after the other: what clients.c says."""
    with open("/root/message", "w") as f:
        f.write(text)
    if command[0] == "chroot":
        command = [shutil.which("chroot")] + command[1:]
    out = mta.run(mta.TOOLS + "clients", "command", str(count), "/root/message", *command).split()
    if int(out[0]) != count:
        sys.exit("only %s of %d calls succeeded" % (out[0], count))
    return out


def start(name):
    """What programs pay that call sendmail for a moment: an empty queue listed, test mode, SMTP on a pipe."""
    target, figures = mta.target(name), {}
    for key, text, option in (("mailq_ms", "", "-bp"), ("test_mode_ms", "", "-bt"), ("smtp_stdin_ms", "QUIT\r\n", "-bs")):
        figures[key] = float(calls(COUNT or 100, text, target.prefix + [target.program, option])[2])
    mta.report(**figures)


def submit(name):
    """sendmail -i, one after the other, the daemon running; 2 KiB."""
    count, target = COUNT or 300, mta.target(name)
    host = mta.SmartHost()
    target.start()
    mta.wait_for_port()
    before = mta.spent()
    out = calls(count, "Subject: bench\n\n" + "a line of a small message, as cron writes it\n" * 45, target.submit())
    used = mta.spent() - before
    host.wait(count)
    mta.stop_all()
    host.stop()
    mta.report(median_ms=float(out[2]), most_ms=float(out[3]), command_cpu_ms=used / count * 1000)


def memory(name):
    target, host = mta.target(name), mta.SmartHost()
    target.start()
    mta.wait_for_port()
    time.sleep(2)
    fresh, processes, both = mta.memory(mta.everybody()), len(mta.everybody()), {}
    if name != "postfix":  # as Debian starts it: one more for the client queue
        subprocess.run(target.prefix + [target.program, "-L", "sm-msp-queue", "-Ac", "-q1m"], check=True)
        time.sleep(3)
        both = {"both_daemons_mb": mta.memory(mta.everybody())}
    mta.clients(50, 5, 10240)
    host.wait(50)
    time.sleep(4)  # what is not used goes back after two seconds
    after = mta.memory(mta.everybody())
    time.sleep(75)  # what is not needed any more leaves after a minute
    mta.report(fresh_mb=fresh, processes=processes, after_50_mb=after, a_minute_later_mb=mta.memory(mta.everybody()), **both)
    mta.stop_all()
    host.stop()


def make_queue(target, count):
    """Messages that the daemon took by SMTP from 20 clients.  Figures."""
    target.start("-ODeliveryMode=queueonly", *NO_LOAD)
    mta.wait_for_port()
    _, took, _, _ = mta.clients(count, 20, 2048)
    mta.stop_all()
    return {"fill_rate": count / took}


def clone_queue(target, count):
    """Clones of one message that the daemon queued."""
    target.start("-ODeliveryMode=queueonly", *NO_LOAD)
    mta.wait_for_port()
    mta.clients(1, 1, 2048)
    mta.stop_all()
    spool = target.spool + "/"
    ident = next(n for n in os.listdir(spool) if n.startswith("qf"))[2:]
    control, body, owner = open(spool + "qf" + ident, "rb").read(), open(spool + "df" + ident, "rb").read(), os.stat(spool + "qf" + ident)
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    for i in range(1, count):
        new = ident[:-6] + digits[i // 36 ** 3 % 36] + digits[i // 36 ** 2 % 36] + digits[i // 36 % 36] + digits[i % 36] + "zz"
        for kind, content in (("df", body), ("qf", control)):
            fd = os.open(spool + kind + new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(fd, content)
            os.fchown(fd, owner.st_uid, owner.st_gid)
            os.close(fd)
    return {}


def left(target):
    return sum(1 for n in os.listdir(target.spool) if n.startswith("qf"))


def timed(command):
    """Seconds and CPU seconds."""
    began = time.time()
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(p.pid, 0)
    if status:
        sys.exit("%s: status %d" % (" ".join(command), status))
    return time.time() - began, used.ru_utime + used.ru_stime


def runner_memory():
    """Resident MB of the daemon's process that has the index."""
    for pid in mta.everybody():
        with open("/proc/%d/cmdline" % pid) as f:
            if "runner" in f.read():
                with open("/proc/%d/status" % pid) as status:
                    return int(next(l for l in status if l.startswith("RssAnon")).split()[1]) / 1024
    return 0


def flush(target, count, runners):
    """The host is back: messages a second, CPU ms each."""
    before, host, began = mta.spent(), mta.SmartHost(), time.time()
    for _ in range(runners):  # of sendmail's own, at random: they seldom meet
        subprocess.Popen(target.queue_run(*NO_LOAD) + (["-OQueueSortOrder=random"] if runners > 1 else []))
    end = host.wait(count)
    mta.stop_all()
    used = host.stop()
    return {"flush_rate": count / (end - began), "flush_cpu_ms": (mta.spent() - before - used) / count * 1000}


def runner(target, count, *options):
    """Resident MB of the daemon's process that has the index, with so many messages in it."""
    target.start("-q1h", *options)
    mta.wait_for_port()
    before, last = -1, 0
    while last > before:  # the first run is over
        time.sleep(1 + count / 100000)
        before, last = last, runner_memory()
    mta.stop_all()
    return last


def queue(name):
    """COUNT messages wait; their host is dead, and comes back."""
    count, target, is_ours = COUNT or 20000, mta.target(name), name == "pillarbox"
    figures = {}
    # as on an Ethernet: by loopback's long packets real sendmail waits 40 ms for an acknowledgement in each message
    mta.run("ip", "link", "set", "lo", "mtu", "1500")
    if left(target) < count:  # BENCH_SPOOL may have them from the last time
        figures = (make_queue if os.environ.get("BENCH_FILL") == "smtp" else clone_queue)(target, count)
    if os.environ.get("BENCH_FILL_ONLY"):
        return mta.report(**figures)
    figures["mailq_s"] = statistics.median(timed(target.mailq())[0] for _ in range(3))
    target.start("-ODeliveryMode=queueonly", *NO_LOAD)
    mta.wait_for_port()
    figures["accept_ms"] = mta.clients(100, 1, 2048)[2]  # behind all the others
    mta.stop_all()
    count = left(target)
    figures["dead_run_s"], figures["dead_run_cpu_s"] = timed(target.queue_run(*NO_LOAD))
    if left(target) != count:
        sys.exit("%d of %d messages are left" % (left(target), count))
    if is_ours:
        os.mkdir("/root/empty", 0o700)
        shutil.copystat(target.spool, "/root/empty")
        shutil.chown("/root/empty", os.stat(target.spool).st_uid, os.stat(target.spool).st_gid)
        os.chmod("/root", 0o755)
        empty = runner(target, 0, "-OQueueDirectory=/root/empty")
        figures["runner_mb"] = runner(target, count)
        figures["runner_bytes_a_message"] = max(0, figures["runner_mb"] - empty) * 1048576 / count
    if count <= int(os.environ.get("BENCH_FLUSH_LIMIT", "200000")):
        figures.update(flush(target, count, 1 if is_ours else 8))
    mta.report(**figures)


CASES = {
    "relay": lambda name: relay(name, COUNT or 3000),
    "far": lambda name: relay(name, COUNT or 2000, far=50),
    "far-plain": lambda name: relay(name, COUNT or 1000, far=50, plain=True),
    "start": start,
    "submit": submit,
    "memory": memory,
    "queue": queue,
}
CASES[sys.argv[1]](sys.argv[2])
