# A push to a phone: `push.sh <directory> <user> <what the phone does>`.
# It is written down before anything else, so that tests can count pushes.
echo "$2" >> "$1/pushes"
case $3 in
    # Someone has the phone in hand, and taps when the test says so.
    held) read -r _ < "$1/gate-$2" ;;
    # Someone declines, after a while.
    deny*) sleep "${3#deny-after-}"; exit 1 ;;
    # Someone taps, after a while.
    *) sleep "${3#accept-after-}" ;;
esac
