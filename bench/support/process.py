"""Servers as processes: what they used so far, and their end."""
import os
import resource
import subprocess

PATIENCE_SECONDS = 15


def stat_fields(pid):
    """Those of /proc/PID/stat that follow the name: the state, the parent, …"""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()


def cpu_seconds(pid):
    fields = stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def with_children(pid):
    found = [pid]
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(stat_fields(other)[1]) == pid:
                found.append(int(other))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def end(process):
    """TimeoutExpired when it had to be killed."""
    process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def allow_files(count):
    """Lets this process have so many files open; how many it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count)), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
