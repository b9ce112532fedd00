# tests/bench/mcast/peers.sh - how each is started; sourced by run.sh.
#
# peer_NAME starts its receivers, by receiver or by daemon, and then the clock and
# the sender, by go. The settings of the others are those that were fastest here
# with four receivers, found by trial: udpcast with full duplex and the largest
# blocks and buffers, and no cap on its rate; uftp with its rate at the interface's
# and patience enough for 5 % loss (-r, -s: with less it gives up receivers); NORM
# unpaced without loss, at 200 Mbit/s with it, where unpaced takes twice as long.
# SPDX-License-Identifier: ISC

udpcast() { # OPTION...: of the sender
	local i
	for ((i = 1; i <= N; i++)); do
		receiver "$i" udp-receiver --file "$RUN/r$i/file" --nokbd --interface eth0 --no-progress \
		    --rcvbuf 4m --exit-wait 50 --start-timeout 60
	done
	# --nopointopoint: multicast for one receiver too, as for the others
	go udp-sender --file "$FILE" --nokbd --interface eth0 --no-progress --nopointopoint --min-receivers "$N" \
	    --max-wait 30 --rexmit-hello-interval 100 --full-duplex --blocksize 1456 "$@"
}
peer_udpcast() { udpcast; }
peer_udpcast_fec() { udpcast --fec 8x8/128; }

uftp() { # receivers' options, then "--", then the sender's
	local i hosts='' mine=()
	while [ "$1" != -- ]; do mine+=("$1"); shift; done
	shift
	for ((i = 1; i <= N; i++)); do
		hosts+=${hosts:+,}$(printf '0x%08x' "$i")
		daemon "$i" uftpd -d -x 1 -I eth0 -U "$(printf '0x%08x' "$i")" -D "$RUN/r$i" -B 4194304 -c 20971520 -q \
		    -s "$HOOK" "${mine[@]}"
	done
	# -H: it begins as soon as all these have registered
	go command uftp -x 1 -I eth0 -M 230.4.4.1 -P 230.5.5.5 -H "$hosts" -B 4194304 -b 1400 -r 0.1:0.02:1.0 -s 50 \
	    -R -1 "$@" -l -D file "$FILE"
}
peer_uftp() { uftp --; }
peer_uftp_gcm() { uftp -K ec:prime256v1 -- -Y aes128-gcm -h sha256 -e ecdh_ecdsa:prime256v1 -K prime256v1; }

peer_norm() {
	local i rate=1e9
	[ "$LOSS" = 0 ] || rate=200e6
	export HOOK
	for ((i = 1; i <= N; i++)); do
		daemon "$i" "$BIN/norm-xfer" recv "$RUN/r$i/file" "$i" 67108864 4194304
	done
	# segments of 1400, blocks of 64 and 16 of parity on demand
	go "$BIN/norm-xfer" send "$FILE" "$N" $rate 1400 64 16 0 67108864 0 0.01 0
}

# Ours hashes as it receives and says itself when it is done. dp-mcast is there
# before there is anything to send, so its clock starts when it is told to.
peer_ours() {
	local i
	ready "$BIN/mcast-send" "$FILE" "$SUM" "$N" "$RUN" ${RATE:+"$RATE"}
	for ((i = 1; i <= N; i++)); do
		itself "$i" "$BIN/mcast-recv" "$RUN/keys.$i" "$RUN/r$i/file" "$BYTES" "$SUM"
	done
	say_go
}
