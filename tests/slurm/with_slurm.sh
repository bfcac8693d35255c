#!/usr/bin/env bash
# Runs a command with a real Slurm of one node on loopback: tests/slurm/with_slurm.sh COMMAND...
# Needs root and Debian's slurmctld, slurmd, slurm-client and munge; everything is stopped and removed afterwards.
# Exit code 77: not here, and why.
set -euo pipefail
absent() { echo "no Slurm: $1" >&2; exit 77; }
[[ $(id -u) == 0 ]] || absent "its daemons need root"
for program in munged slurmctld slurmd sbatch; do
  command -v "$program" >/dev/null || absent "no $program (Debian: slurmctld slurmd slurm-client munge)"
done
# Its programs look for it there and nowhere else.
conf=/etc/slurm/slurm.conf
[[ ! -e $conf ]] || absent "$conf is there: this machine has a Slurm of its own"

state=$(mktemp -d)
pids=()
stop() {
  [[ ${#pids[@]} == 0 ]] || kill "${pids[@]}" 2>/dev/null || true
  [[ ${#pids[@]} == 0 ]] || wait "${pids[@]}" 2>/dev/null || true
  rm -rf "$conf" "$state"
}
trap stop EXIT
mkdir -p /run/munge "$state/ctld" "$state/slurmd" "$(dirname $conf)"
chown munge: /run/munge
chmod 755 /run/munge
dd if=/dev/urandom of="$state/key" bs=1024 count=1 status=none
chmod 755 "$state"
chown munge: "$state/key"
chmod 600 "$state/key"
socket=/run/munge/munge.socket.2
[[ ! -S $socket ]] || munge -n >/dev/null 2>&1 || rm -f "$socket"
if [[ ! -S $socket ]]; then
  runuser -u munge -- munged --foreground --key-file="$state/key" --pid-file="$state/none" \
    --seed-file=/dev/null --log-file=/dev/null --syslog >/dev/null 2>&1 &
  pids+=($!)
fi
for _ in {1..50}; do munge -n >/dev/null 2>&1 && break; sleep 0.1; done
munge -n >/dev/null || absent "munged does not start"
cat >$conf <<CONF
ClusterName=loopback
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/slurmd
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,sched_min_interval=100000,batch_sched_delay=0
ReturnToService=2
MinJobAge=300
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
slurmctld -D >"$state/ctld.log" 2>&1 &
pids+=($!)
slurmd -D >"$state/slurmd.log" 2>&1 &
pids+=($!)
for _ in {1..100}; do [[ $(sinfo -h -o %T 2>/dev/null) == idle ]] && break; sleep 0.2; done
[[ $(sinfo -h -o %T) == idle ]] || { tail -n 5 "$state"/*.log >&2; absent "its node does not come up"; }
# A job that does nothing ends within seconds where jobs can run at all.
timeout 60 sbatch --wait --output=/dev/null --wrap true >/dev/null 2>&1 || absent "its jobs do not run"
timeout 900 "$@"
