# How many packets came out of a tunnel until now.
device = next(s["tunnel"]["device"] for s in PLAN["substrates"] if s["name"] == sys.argv[2])
print(open(f"/sys/class/net/{device}/statistics/rx_packets", encoding="ascii").read().strip())
