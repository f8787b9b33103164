#!/usr/bin/env bash
# Tests docker-compose.yml with real containers: locks through the load balancer, balance, scaling, a rolling restart
# under load, the loss of a replica and of Redis; and docker-compose.keys.yml: API keys through the load balancer. It has
# a project name and a port of its own, so that it disturbs no `docker compose up` beside it, and it leaves nothing
# behind but the build cache.
#
#   tests/compose-test.sh                    GORILLA_PORT=4100 chooses the port; otherwise it takes a free one
#
# Each test prints one sentence with what it saw. Exits 0 if all passed, 1 if one failed, 77 if there is no engine.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

[ "${BASH_VERSINFO[0]}" -ge 5 ] || { echo "compose-test: bash 5 or newer is needed, this is $BASH_VERSION; nothing was tested"; exit 1; }

engine() {
  local said
  said=$("$@" 2>&1 >/dev/null) && return
  echo "compose-test: no Docker engine with Compose v2 answers ($* failed: ${said//$'\n'/ }); nothing was tested"
  exit 77
}
engine docker info
engine docker compose version

free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}
export GORILLA_PORT=${GORILLA_PORT:-$(free_port)}
base=http://127.0.0.1:$GORILLA_PORT
export LC_ALL=C # A character is a byte, as in Content-Length.
scratch=$(mktemp -d)

files=(--file docker-compose.yml)
compose() { docker compose --project-name gorilla-test "${files[@]}" "$@"; }
quietly() { "$@" >"$scratch/said" 2>&1 || { cat "$scratch/said"; return 1; }; }
remove_all() { compose down --volumes --rmi local --timeout 1 >/dev/null 2>&1; }
# Without its folder, a load that is still running ends, too.
trap 'rm -rf "$scratch"; remove_all' EXIT
trap 'exit 1' INT TERM

passed=0 failed=0
# check SENTENCE COMMAND...: the test is passed if the command succeeds.
check() {
  local sentence=$1
  shift
  if "$@"; then passed=$((passed + 1)) && echo "ok - $sentence"; else failed=$((failed + 1)) && echo "not ok - $sentence"; fi
}
finish() {
  [ "$failed" = 0 ] || compose logs --tail 30
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
}

now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); } # milliseconds

# request METHOD PATH [BODY]: sets $status, $head and $body. Status 000: there was no answer. It sends the API key $key.
key=
request() {
  status=$(curl -sS -m 30 -X "$1" ${key:+-H "Authorization: Bearer $key"} ${3:+-H 'Content-Type: application/json' -d "$3"} -D "$scratch/head" -o "$scratch/body" -w '%{http_code}' "$base$2" 2>/dev/null)
  head=$(tr -d '\r' <"$scratch/head" 2>/dev/null) body=$(cat "$scratch/body" 2>/dev/null)
  rm -f "$scratch/head" "$scratch/body"
}
# field NAME: the value of a field of $body that is a string or a number.
field() { [[ $body =~ \"$1\":\"?([^\",}]*) ]] && echo "${BASH_REMATCH[1]}"; }

# served_by COUNT: how many answers of so many came from each replica, on one line.
served_by() {
  local i
  for ((i = 0; i < $1; i++)); do
    request GET /api/v1/locks/orders
    grep -i '^x-served-by:' <<<"$head" | cut -d ' ' -f 2
  done | sort | uniq -c | awk '{ printf "%s%s %d", separator, $2, $1; separator = ", " }'
}

# within SECONDS COMMAND...: tries until the command succeeds, and sets $took (milliseconds).
within() {
  local start deadline
  start=$(now) deadline=$(($(now) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(now)" -lt "$deadline" ] || { took=$(($(now) - start)) && return 1; }
    sleep 0.1
  done
  took=$(($(now) - start))
}
healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; }
balanced_over() { spread=$(served_by $(($1 * 4))) && [ "$(wc -w <<<"$spread")" = $(($1 * 2)) ]; }
answers() { request "$2" "$3" "${4:-}" && [ "$status" = "$1" ]; }

## The load: clients that take and release locks of their own until $scratch/load is removed. One line for each answer,
## with the error's code if it is not a success.

# exchange METHOD PATH [BODY]: a request over the open connection 3, which stays open. Sets $status and $body. It never
# sends a request again; curl would, on a connection that the server closed, and hide the loss.
exchange() {
  local line length=0 content=
  [ -z "${3:-}" ] || content=$'Content-Type: application/json\r\n'"Content-Length: ${#3}"$'\r\n'
  status=000 body=
  printf '%s %s HTTP/1.1\r\nHost: gorilla\r\n%s\r\n%s' "$1" "$2" "$content" "${3:-}" >&3 2>/dev/null || return
  read -r -t 30 _ status _ <&3 || { status=000 && return; }
  while read -r -t 30 line <&3 && line=${line%$'\r'} && [ -n "$line" ]; do
    [[ ${line,,} != content-length:* ]] || length=${line#*: }
  done
  [ "$length" = 0 ] || IFS= read -r -t 30 -N "$length" body <&3
}
blame() { [[ $status == 20? ]] || echo " $(field code)"; }
# client NAME PAUSE KIND: KIND is `request` (a connection for each request) or `exchange` (one connection for all).
client() {
  local n=0
  trap '' PIPE # A connection that was closed is to be counted, and must not end the client.
  exec 4<> <(:) # Nothing ever arrives here, so reading from it is a pause that starts no process.
  [ "$3" = request ] || exec 3<>"/dev/tcp/127.0.0.1/$GORILLA_PORT"
  scratch_of_all=$scratch
  scratch=$scratch/$1 && mkdir -p "$scratch"
  while [ -e "$scratch_of_all/load" ]; do
    n=$((n + 1))
    "$3" POST "/api/v1/locks/load-$1-$BASHPID-$n" '{"owner":"load","timeout":30}'
    echo "acquire $status$(blame)"
    [ "$status" != 200 ] || { "$3" DELETE "/api/v1/locks/load-$1-$BASHPID-$n/$(field token)" && echo "release $status$(blame)"; }
    [ "$status" != 000 ] || [ "$3" = request ] || exec 3<>"/dev/tcp/127.0.0.1/$GORILLA_PORT"
    read -r -t "$2" <&4
  done >"$scratch_of_all/answers-$1"
}
start_load() {
  touch "$scratch/load"
  client keep-1 0.01 exchange & client keep-2 0.01 exchange & client keep-3 0.03 exchange &
  # These two let connections idle, where a careless server or balancer closes them under a request.
  client idle-1 0.7 exchange & client idle-2 1.9 exchange &
  client each-1 0.02 request & client each-2 0.02 request &
}
# Sets $counts, such as "acquire 200: 512, release 204: 512".
stop_load() {
  rm "$scratch/load"
  wait
  counts=$(cat "$scratch"/answers-* | sort | uniq -c | awk '{ printf "%s%s %s%s: %d", separator, $2, $3, $4 ? " " $4 : "", $1; separator = ", " }')
}
nothing_lost() { grep -qE '^acquire 200: ([0-9]+), release 204: \1$' <<<"$counts"; }

## The tests

echo "compose-test: project gorilla-test, $base"
remove_all # A run that was killed may have left something.
start=$(now)
compose build || { check "the image is built" false && finish; }
built=$(now)
quietly compose up --detach --wait --wait-timeout 120
up=$?
check "the image is built in $(((built - start) / 1000)) s, and \`up --wait\` answers $up after $((($(now) - built) / 1000)) s" [ $up = 0 ]
request GET /_ready
check "the load balancer answers /_ready with $status" [ "$status" = 200 ]
[ "$failed" = 0 ] || finish

check "the profile observability is a valid part of the compose file" quietly compose --profile observability config --quiet

# Locks
seen=
request POST /api/v1/locks/orders '{"owner":"alice","timeout":60,"metadata":["compose"]}'
seen+=" $status" first=$(field token) fence=$(field fence)
request POST /api/v1/locks/orders '{"owner":"bob","timeout":60}'
seen+=" $status"
request PUT "/api/v1/locks/orders/$first" '{"timeout":300}'
seen+=" $status" token=$(field token)
request DELETE "/api/v1/locks/orders/$first"
seen+=" $status"
request GET "/api/v1/locks/orders/$token"
seen+=" $status"
check "acquire, a second acquire, extend, release with the old token, status answer$seen (fence $fence)" [ "$seen" = " 200 409 200 404 200" ]

hash=$(compose exec -T redis redis-cli HGETALL 'gorilla:{orders}:lock' | paste -s -d ' ' -)
check "redis-cli HGETALL 'gorilla:{orders}:lock' shows the owner: $hash" grep -q 'owner alice' <<<"$hash"

request DELETE "/api/v1/locks/orders/$token"
released=$status
request POST /api/v1/locks/orders '{"owner":"bob","timeout":60}'
check "release answers $released, and then another owner's acquire answers $status with a higher fence ($(field fence))" \
  [ "$released $status $(($(field fence) > fence))" = "204 200 1" ]

# Users
users=
for replica in $(compose ps -q gorilla); do
  users+="$(docker exec "$replica" sh -c "sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' /proc/1/status") "
done
check "the three replicas run as the users ${users% }, not as root" grep -qE '^([1-9][0-9]* ){3}$' <<<"$users"

# Balance
spread=$(served_by 60)
check "60 requests are spread over 3 replicas: $spread" [ "$(grep -oE ' (19|20|21)\b' <<<"$spread" | wc -l)" = 3 ]

# Events
# This stream runs on beside the next tests: they begin and end other replicas than its own.
curl -sSN "$base/api/v1/events?prefix=streamed" >"$scratch/events" 2>&1 &
stream=$! && disown # `wait` is for the load alone.
told() { grep -q "$1" "$scratch/events"; }
within 30 told '^event: hello'
opened=$(now)
request POST /api/v1/locks/streamed-1 '{"owner":"alice","timeout":600}'
within 30 told '"resource":"streamed-1"'
check "a stream of events goes through the load balancer: an event came $took ms after the answer to its client" [ $? = 0 ]

# Under load, which must not notice that replicas come and go
start_load
sleep 2
quietly compose up --detach --no-recreate --scale gorilla=5
within 15 balanced_over 5
check "after \`--scale gorilla=5\`, $took ms later, requests are spread over 5: $spread" [ $? = 0 ]

quietly compose up --detach --no-recreate --scale gorilla=3
sleep 2
stop_load
check "scaling to 5 and back to 3 loses no request: $counts" nothing_lost

# Longer than HAProxy waits for the next piece of an answer. Nothing has happened to these locks meanwhile.
idle=$(awk '$1 == "timeout" && $2 == "server" { print $3 + 0 }' deploy/haproxy.cfg)
left=$((idle + 5 - ($(now) - opened) / 1000))
[ "$left" -le 0 ] || sleep "$left"
lasted=$((($(now) - opened) / 1000))
request POST /api/v1/locks/streamed-2 '{"owner":"alice","timeout":600}'
within 30 told '"resource":"streamed-2"'
check "after $lasted s, of which $idle without a word would end it, the stream is open: $(grep -c '^event: bookmark' "$scratch/events") bookmarks came, and the next event within $took ms" [ $? = 0 ]
kill "$stream"

# A rolling restart under load
start_load
sleep 2
exits=
for replica in $(compose ps -q gorilla); do
  stopping=$(now)
  docker stop --time 15 "$replica" >/dev/null
  exits+="$(docker inspect -f '{{.State.ExitCode}}' "$replica") after $(($(now) - stopping)) ms, "
  docker start "$replica" >/dev/null
  within 30 healthy "$replica"
done
sleep 2
stop_load
check "stopped one after another, the replicas exit with ${exits%, }" [ "$(grep -oE '\b0 after' <<<"$exits" | wc -l)" = 3 ]
check "a rolling restart loses no request: $counts" nothing_lost
within 10 balanced_over 3
check "afterwards requests are spread over all 3: $spread" [ $? = 0 ]

# The loss of a replica
victim=$(compose ps -q gorilla | head -n 1)
docker kill --signal KILL "$victim" >/dev/null
codes= slowest=0
for i in {1..40}; do
  asked=$(now)
  request POST "/api/v1/locks/after-kill-$i" '{"owner":"carol","timeout":5}'
  codes+="$status " took=$(($(now) - asked))
  [ "$took" -le "$slowest" ] || slowest=$took
done
codes=$(tr ' ' '\n' <<<"${codes% }" | sort | uniq -c | awk '{ printf "%s%d x %s", separator, $1, $2; separator = ", " }')
check "right after kill -9 of a replica, 40 requests are answered: $codes, the slowest in $slowest ms" [ "$codes" = "40 x 200" ]
docker start "$victim" >/dev/null

# The loss of Redis
request POST /api/v1/locks/ledger '{"owner":"dave","timeout":3600}'
token=$(field token) fence=$(field fence)
quietly compose stop redis
seen= wrong= slowest=0 end=$(($(now) + 6000))
while [ "$(now)" -lt "$end" ]; do
  asked=$(now)
  request POST /api/v1/locks/without-redis '{"owner":"dave","timeout":5}'
  took=$(($(now) - asked))
  [ "$took" -le "$slowest" ] || slowest=$took
  seen+="$status-$(field code)-$(field outcome)"$'\n'
  grep -qi '^content-type: application/.*json' <<<"$head" || wrong+=" no-json"
  [[ $status != 503 ]] || grep -qi '^retry-after: [0-9]' <<<"$head" || wrong+=" no-retry-after"
  sleep 0.1
done
seen=$(sort <<<"${seen%$'\n'}" | uniq -c | awk '{ printf "%s%d x %s", separator, $1, $2; separator = ", " }')
check "without Redis, acquires answer $seen; the slowest took $slowest ms$wrong" \
  [ "$(grep -cvE '[0-9]+ x (503-[a-z_]+-not_executed|504-[a-z_]+-unknown)$' <<<"${seen//, /$'\n'}")$wrong" = 0 ]

quietly compose start redis
within 15 answers 200 GET "/api/v1/locks/ledger/$token"
check "with Redis back, the lock of before is there after $took ms, with its fence $fence" [ "$status $(field fence)" = "200 $fence" ]
request POST /api/v1/locks/ledger '{"owner":"erin","timeout":5}'
check "it still excludes others: an acquire answers $status $(field code)" [ "$status" = 409 ]
request POST /api/v1/locks/after-redis '{"owner":"erin","timeout":5}'
check "and new locks are granted: an acquire answers $status" [ "$status" = 200 ]

# API keys
mkdir "$scratch/access"
export GORILLA_ACCESS=$scratch/access
# entry NAME: makes an API key, sets $made to it and appends its entry to new.toml, which nothing reads yet.
entry() {
  local lines
  lines=$(compose run --rm --no-deps -T gorilla key new "$1" --role orders 2>"$scratch/said") || { cat "$scratch/said" && return 1; }
  made=${lines%%$'\n'*}
  echo "${lines#*$'\n'}" >>"$GORILLA_ACCESS/new.toml"
}
put_in_force() { mv "$GORILLA_ACCESS/new.toml" "$GORILLA_ACCESS/access.toml"; }
# all_answer STATUS METHOD PATH: a third of these requests goes to each of the three replicas.
all_answer() { local i; for i in {1..6}; do answers "$@" || return 1; done; }
role='[[role]]
name = "orders"
rules = [{ prefix = "orders:", verbs = ["acquire", "wait", "extend", "release", "inspect"] }]'
echo "$role" >"$GORILLA_ACCESS/new.toml"
entry kept && kept=$made && cp "$GORILLA_ACCESS/new.toml" "$scratch/without-revoked.toml"
entry revoked && revoked=$made && put_in_force
check "\`gorilla key new\` in the image makes two API keys, $(cut -d _ -f 2 <<<"$kept") and $(cut -d _ -f 2 <<<"$revoked")" \
  [ "$(grep -c '^gorilla_[0-9A-Za-z]\{8\}_[0-9A-Za-z]\{49\}$' <<<"$kept"$'\n'"$revoked")" = 2 ]

files+=(--file docker-compose.keys.yml)
quietly compose up --detach --wait --wait-timeout 120
up=$?
# The replicas that needed no key are gone when no answer comes without one.
within 15 all_answer 401 GET /api/v1/locks/orders:1
check "with docker-compose.keys.yml \`up --wait\` answers $up, and requests without an API key are answered $status $(field code)" \
  [ "$up $status $(field code)" = "0 401 authentication_required" ]
# The last character is another; a key may end in x.
key=${kept%?}x && [ "$key" != "$kept" ] || key=${kept%?}y
request POST /api/v1/locks/orders:1 '{"owner":"alice","timeout":60}'
check "an acquire with a key that is not in the file is answered $status $(field code)" [ "$status $(field code)" = "401 invalid_key" ]

key=$kept seen=
request POST /api/v1/locks/orders:1 '{"owner":"alice","timeout":60}'
seen+=" $status" token=$(field token)
request POST /api/v1/locks/bills:1 '{"owner":"alice","timeout":60}'
seen+=" $status"
key=
request DELETE "/api/v1/locks/orders:1/$token"
seen+=" $status"
key=$kept
request DELETE "/api/v1/locks/orders:1/$token"
seen+=" $status"
check "with a key: acquire, acquire outside of its role, release without the key, release answer$seen" [ "$seen" = " 200 403 401 204" ]

key=$revoked
all_answer 200 GET /api/v1/locks/orders:1
before=$status
cp "$scratch/without-revoked.toml" "$GORILLA_ACCESS/new.toml" && put_in_force
within 15 all_answer 401 GET /api/v1/locks/orders:1
after=$status revoked_in=$took key=$kept
all_answer 200 GET /api/v1/locks/orders:1
check "a key that is taken out of the file is answered $before before and $after within $revoked_in ms after, and the other still $status" \
  [ "$before $after $status" = "200 401 200" ]
key=

finish
