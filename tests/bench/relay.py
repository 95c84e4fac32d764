"""Runs inside tests/lib/inroot: 20 clients, 2,000 messages of 10 KiB, in the clear; the sink only counts."""
import os, resource, socket, socketserver, subprocess, sys, threading, time

COUNT, CLIENTS = 2000, 20
arrived, lock = [0], threading.Lock()


class Sink(socketserver.StreamRequestHandler):
    def handle(self):
        say = lambda t: (self.wfile.write(t), self.wfile.flush())
        try:
            say(b"220 smarthost.example ESMTP\r\n")
            while True:
                line = self.rfile.readline()
                verb = line[:4].upper()
                if not line or verb == b"QUIT":
                    say(b"221 bye\r\n")
                    return
                if verb == b"EHLO":
                    say(b"250-smarthost.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n")
                elif verb == b"DATA":
                    say(b"354 go\r\n")
                    while self.rfile.readline() != b".\r\n":
                        pass
                    with lock:
                        arrived[0] += 1
                    say(b"250 2.0.0 taken\r\n")
                else:
                    say(b"250 2.1.0 ok\r\n")
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256


def client(count):
    s = socket.create_connection(("127.0.0.1", 25))
    f = s.makefile("rb")

    def reply():
        while True:
            line = f.readline()
            if line[3:4] != b"-":
                return line

    reply()
    s.sendall(b"EHLO client.example\r\n")
    reply()
    body = b"Subject: bench\r\n\r\n" + (b"x" * 78 + b"\r\n") * 128 + b".\r\n"
    for _ in range(count):
        for command in (b"MAIL FROM:<alice@mail.example.com>\r\n", b"RCPT TO:<u@far.example>\r\n", b"DATA\r\n", body):
            s.sendall(command)
            line = reply()
            if line[:1] not in b"23":
                sys.exit("refused: %r" % line)
    s.sendall(b"QUIT\r\n")


def cpu_of_daemon():
    total = 0
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                if os.path.basename(os.readlink("/proc/%s/exe" % pid)) == "pillarbox":
                    with open("/proc/%s/stat" % pid) as f:
                        fields = f.read().rsplit(")", 1)[1].split()
                    total += int(fields[11]) + int(fields[12])
            except OSError:
                pass
    return total / os.sysconf("SC_CLK_TCK")


with open("/etc/mail/sendmail.cf") as f:
    cf = f.read().replace("\nDS\n", "\nDS[127.0.0.1]\n").replace("D{tls}encrypt", "D{tls}may")
with open("/etc/mail/sendmail.cf", "w") as f:
    f.write(cf)
sink = Server(("127.0.0.1", 587), Sink)
threading.Thread(target=sink.serve_forever, daemon=True).start()
subprocess.run(["/usr/sbin/sendmail", "-bd", "-q30m"], check=True)
while True:
    try:
        socket.create_connection(("127.0.0.1", 25)).close()
        break
    except OSError:
        time.sleep(0.05)
start = time.time()
threads = [threading.Thread(target=client, args=(COUNT // CLIENTS,)) for _ in range(CLIENTS)]
for t in threads:
    t.start()
for t in threads:
    t.join()
taken = time.time() - start
while arrived[0] < COUNT and time.time() < start + 300:
    time.sleep(0.01)
print("%d messages of 10 KiB from %d clients: all taken after %.2f s, all relayed after %.2f s (%.0f a second), %.2f ms CPU of the daemon a message"
      % (arrived[0], CLIENTS, taken, time.time() - start, COUNT / (time.time() - start), 1000 * cpu_of_daemon() / COUNT))
sys.exit(arrived[0] != COUNT)
