#!/usr/bin/env bash
# Runs the commands in LOCK_RUN while holding the locks in LOCK_NAME. What action.yml passes on is in variables LOCK_….
set -euo pipefail

refuse() {
    echo "::error::$1"
    exit 64
}

command -v gorilla >/dev/null || refuse "gorilla is not in PATH: install the program in a step before."
mapfile -t names < <(sed '/^[[:space:]]*$/d' <<<"$LOCK_NAME")
[ "${#names[@]}" -gt 0 ] || refuse "The input name is empty."
case $LOCK_IF_NOT_ACQUIRED in
    fail | skip) ;;
    *) refuse "The input if-not-acquired is fail or skip, not $LOCK_IF_NOT_ACQUIRED." ;;
esac
[ -z "$LOCK_URL" ] || export GORILLA_URL=$LOCK_URL
[ -z "$LOCK_API_KEY" ] || export GORILLA_API_KEY=$LOCK_API_KEY

options=(--ttl "$LOCK_TTL" --owner "$LOCK_OWNER")
case $LOCK_WAIT in
    "") ;;
    0) options+=(--no-wait) ;;
    *) options+=(--wait "$LOCK_WAIT") ;;
esac
[ -z "$LOCK_LIMIT" ] || options+=(--limit "$LOCK_LIMIT")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '%s\n' "$LOCK_RUN" >"$folder/commands"
cat >"$folder/begin" <<'BEGIN'
{
    echo "acquired=true"
    echo "fence<<end of fences"
    echo "${GORILLA_LOCK_FENCES:-$GORILLA_LOCK_FENCE}"
    echo "end of fences"
} >>"$GITHUB_OUTPUT"
touch "$1/acquired"
# The commands don't need the key of the lock.
unset LOCK_API_KEY
exec bash -eo pipefail "$1/commands"
BEGIN

status=0
gorilla lock "${names[@]}" "${options[@]}" -- bash -eo pipefail "$folder/begin" "$folder" || status=$?

[ ! -e "$folder/acquired" ] || exit "$status"
echo "acquired=false" >>"$GITHUB_OUTPUT"
# 75 is what gorilla lock says if somebody else has the lock.
if [ "$status" = 75 ] && [ "$LOCK_IF_NOT_ACQUIRED" = skip ]; then
    echo "::notice::The lock was not acquired; the commands were not run."
    exit 0
fi
exit "$status"
