"""What the measurements share: the MTAs to be measured, a smart host, and what a run of processes costs.

Runs inside tests/lib/inroot.  Ours is installed there; real sendmail or Postfix is in /peers when
INROOT_PEERS named it.  All get the same duty: take mail on port 25 of loopback, pass it on to
[127.0.0.1]:587 by STARTTLS and AUTH, with the durability they have by default."""
import ctypes, json, mmap, os, re, resource, shutil, signal, struct, subprocess, sys, time

TOOLS = "/tests/bench/bin/"
CERTIFICATE, KEY, COUNTERS = "/root/smart.pem", "/root/smart.key", "/root/counters"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # what a daemon leaves behind comes to us: its CPU time counts


def run(*argv, **more):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more).stdout


def edit(path, *changes):
    with open(path) as f:
        text = f.read()
    for old, new in changes:
        if old not in text:
            sys.exit("%s: no %r" % (path, old))
        text = text.replace(old, new, 1)
    with open(path, "w") as f:
        f.write(text)


def spent():
    """CPU seconds of all children that have ended."""
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def memory(pids):
    """Proportional set size in MB."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += int(re.search(r"\nPss:\s+(\d+)", f.read()).group(1))
        except (OSError, AttributeError):
            pass
    return total / 1024


def program(pid):
    try:
        return os.path.basename(os.readlink("/proc/%d/exe" % pid))
    except OSError:
        return None


def everybody():
    """The processes of the MTA: all but those that were there before, and the smart host's."""
    found = [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) not in BEFORE]
    return [p for p in found if program(p) not in (None, "smart_host", "delay", "clients")]


def prepare_peer():
    """What the scripts of the packages would have made."""
    os.makedirs(PEER + "/run", exist_ok=True)
    for name in ("services", "protocols", "passwd", "group"):
        if not os.path.exists(PEER + "/etc/" + name):
            shutil.copy("/etc/" + name, PEER + "/etc/" + name)
    for number, user in enumerate(("smmta", "smmsp", "postfix", "postdrop")):
        for name, line in (("group", "%s:x:%d:\n"), ("passwd", "%s:x:%d:%d::/:/bin/false\n")):
            with open(PEER + "/etc/" + name, "r+") as f:
                if not re.search("(?m)^%s:" % user, f.read()):
                    f.write(line % ((user,) + (880 + number,) * line.count("%d")))
    log = PEER + "/dev/log"
    subprocess.Popen([sys.executable, "/tests/lib/logd", log, "/var/log/peer.log"])
    while not os.path.exists(log):
        time.sleep(0.02)


PEER = "/peers/" + os.listdir("/peers")[0] if os.path.isdir("/peers") else ""
if PEER:
    prepare_peer()
BEFORE = {int(p) for p in os.listdir("/proc") if p.isdigit()}


class SmartHost:
    """far: round trip in ms; plain: Amazon SES's extensions only."""

    def __init__(self, far=0, plain=False):
        if not os.path.exists(CERTIFICATE):
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", KEY, "-out", CERTIFICATE,
                "-days", "30", "-subj", "/CN=smart.bench.test")
        argv = [TOOLS + "smart_host", "5870" if far else "587", CERTIFICATE, KEY, COUNTERS] + (["plain"] if plain else [])
        self.processes = [subprocess.Popen(argv, stdout=subprocess.PIPE)]
        if far:
            self.processes.append(subprocess.Popen([TOOLS + "delay", "587", "5870", str(far)], stdout=subprocess.PIPE))
        for p in self.processes:
            p.stdout.readline()
        with open(COUNTERS, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 32)

    def counted(self):
        return dict(zip(("messages", "connections", "waits", "bytes"), struct.unpack("=4Q", self.map[:32])))

    def wait(self, count, seconds=40):
        """Until so many have come; the moment of the last one.  None within `seconds`: that is all."""
        seen, last = -1, time.time()
        while time.time() < last + seconds:
            now = self.counted()["messages"]
            if now != seen:
                seen, last = now, time.time()
            if now >= count:
                return last
            time.sleep(0.01)
        sys.exit("only %d of %d messages arrived" % (self.counted()["messages"], count))

    def stop(self):
        """Its CPU seconds."""
        total = 0
        for p in self.processes:
            p.terminate()
            _, _, used = os.wait4(p.pid, 0)
            total += used.ru_utime + used.ru_stime
        return total


class Sendmail:
    """Ours, or the real one by the same sendmail.cf."""

    def __init__(self, name):
        self.name, self.root = name, "" if name == "pillarbox" else PEER
        self.prefix = ["chroot", PEER] if self.root else []
        self.program = "/usr/sbin/sendmail"
        if self.root:
            shutil.rmtree(PEER + "/etc/mail", ignore_errors=True)
            shutil.copytree("/etc/mail", PEER + "/etc/mail")
            os.makedirs(PEER + "/var/run/sendmail/mta", exist_ok=True)
            self.program = next(p for p in ("/usr/libexec/sendmail/sendmail", "/usr/lib/sm.bin/sendmail", "/usr/sbin/sendmail") if os.path.exists(PEER + p))
            for folder, owner, mode in (("mqueue", "root:smmsp", 0o700), ("mqueue-client", "smmsp:smmsp", 0o2770)):
                os.makedirs(PEER + "/var/spool/" + folder, exist_ok=True)
                self.call("chown", owner, "/var/spool/" + folder)
                os.chmod(PEER + "/var/spool/" + folder, mode)
        etc = self.root + "/etc/mail/"
        edit(etc + "sendmail.cf", ("\nDS\n", "\nDS[127.0.0.1]\n"), ("O LogLevel=9", "O MaxQueueChildren=40\nO LogLevel=9"))
        with open(etc + "authinfo", "w") as f:
            f.write('AuthInfo:127.0.0.1 "U:bench" "P:secret" "M:PLAIN"\nAuthInfo: "U:bench" "P:secret" "M:PLAIN"\n')
        makemap = "/usr/sbin/makemap" if not self.root else next(p for p in ("/usr/libexec/sendmail/makemap", "/usr/sbin/makemap") if os.path.exists(PEER + p))
        for kind in ("authinfo", "access"):
            self.call("sh", "-c", "cd /etc/mail && %s hash %s <%s && chmod 600 %s.db" % (makemap, kind, kind, kind))
        self.spool = self.root + "/var/spool/mqueue"

    def call(self, *argv):
        return run(*self.prefix, *argv)

    def start(self, *options):
        subprocess.run(self.prefix + [self.program, "-L", "sm-mta", "-bd"] + list(options or ("-q1m",)), check=True)

    def submit(self):
        return self.prefix + [self.program, "-i", "-f", "a@bench.test", "b@example.net"]

    def flush(self):
        subprocess.run(self.prefix + [self.program, "-q"])

    def mailq(self):
        return self.prefix + [self.program, "-bp"]

    def queue_run(self, *options):
        return self.prefix + [self.program, "-qf"] + list(options)


class Postfix:
    def __init__(self, name):
        self.name, self.prefix, self.spool = name, ["chroot", PEER], PEER + "/var/spool/postfix"
        with open(PEER + "/etc/postfix/main.cf", "w") as f:
            f.write("""compatibility_level = 3.6
myhostname = mail.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
relayhost = [127.0.0.1]:587
smtp_tls_security_level = encrypt
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd
smtp_sasl_security_options = noanonymous
smtpd_relay_restrictions = permit_mynetworks, reject
disable_dns_lookups = yes
smtp_tls_connection_reuse = yes
smtp_connection_cache_destinations = [127.0.0.1]:587
smtp_destination_concurrency_limit = 40
initial_destination_concurrency = 20
in_flow_delay = 0
smtpd_peername_lookup = no
default_process_limit = 200
qmgr_message_active_limit = 40000
""")
        with open(PEER + "/etc/postfix/sasl_passwd", "w") as f:
            f.write("[127.0.0.1]:587 bench:secret\n")
        self.call("sh", "-c", "[ -f /etc/postfix/master.cf ] || cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf;"
                  "postconf -M tlsproxy/unix='tlsproxy unix - - n - 0 tlsproxy'; postconf -F '*/*/chroot=n';"
                  "postmap hash:/etc/postfix/sasl_passwd; postfix set-permissions; rm -f /var/spool/postfix/pid/master.pid")

    def call(self, *argv):
        return run(*self.prefix, *argv)

    def start(self, *options):
        self.call("postfix", "start")

    def submit(self):
        return self.prefix + ["/usr/sbin/sendmail", "-i", "-f", "a@bench.test", "b@example.net"]

    def mailq(self):
        return self.prefix + ["/usr/bin/mailq"]


def target(name):
    return (Postfix if name == "postfix" else Sendmail)(name)


def wait_for_port(port=25):
    import socket
    for _ in range(400):
        try:
            s = socket.create_connection(("127.0.0.1", port))
            s.recv(100)
            s.close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("nobody answers on port %d" % port)


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def stop_all():
    """Ends the MTA, and waits for all of it."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        for pid in everybody():
            try:
                os.kill(pid, number)
            except OSError:
                pass
        until = time.time() + 5
        while time.time() < until and everybody():
            reap()
            time.sleep(0.02)
    reap()


def clients(count, at_once, size):
    """Messages by SMTP from many clients: when they began, seconds until all were taken, median ms, and CPU seconds of the clients."""
    before, began = spent(), time.time()
    out = run(TOOLS + "clients", "25", str(count), str(at_once), str(size)).split()
    if not out or int(out[0]) != count:
        sys.exit("clients: only %s of %d messages were taken" % (out[:1], count))
    return began, float(out[1]), float(out[2]), spent() - before


def report(**figures):
    print("FIGURES " + json.dumps(figures), flush=True)
