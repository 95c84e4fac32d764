"""Runs inside tests/lib/inroot: submissions one after the other and eight at once, daemon down and up."""
import concurrent.futures, os, subprocess, time

body = "Subject: bench\n\n" + "a line of a small message, as cron writes it\n" * 20


def submit(options):
    subprocess.run(["/usr/sbin/sendmail", "-i"] + options + ["u@far.example"], input=body, text=True, check=True)


def rate(options, count, at_once):
    start = time.time()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda _: submit(options), range(count)))
    return count / (time.time() - start)


def report(what, options):
    one, eight = rate(options, 200, 1), rate(options, 400, 8)
    print("%-42s %6.0f a second one after the other, %6.0f eight at once" % (what, one, eight), flush=True)


with open("/etc/mail/sendmail.cf") as f:
    cf = f.read().replace("\nDS\n", "\nDS[127.0.0.1]\n")
with open("/etc/mail/sendmail.cf", "w") as f:
    f.write(cf)
report("into the queue (-Am -odq, root)", ["-Am", "-odq"])
report("into the client queue (daemon down, -odq)", ["-odq"])
subprocess.run(["/usr/sbin/sendmail", "-bd", "-q30m", "-odq"], check=True)
while not os.path.exists("/run/sendmail.pid"):
    time.sleep(0.01)
report("handed over to the daemon", [])
