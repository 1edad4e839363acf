// Package record is the bytes in which a kept message travels from shard to
// shard, waits in memory, and stands in the log: one encoding, copied and never
// translated. It also holds the other records of the log. It works on bytes
// only; files and shards are elsewhere.
//
// Every record of the log begins with its Kind. Integers are uvarints, epochs 8
// bytes in little endian, strings a uvarint length and the bytes.
//
//	message: 'M' letter recipients:n { name epoch seq }
//	ack:     'A' epoch upto n { from length-1 }          settled by the recipient
//	gone:    'G' epoch cause:1 n { from length-1 }       will never be delivered
//	session: 'S' name epoch seq upto flags:1 seen n { group } n { cause:1 from length-1 }
//	end:     'E' epoch                                   nothing is kept for it
//	run:     'R' sync:1 ended:1                          of the gateway
package record
