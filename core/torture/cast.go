package torture

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// populate makes the clients, and decides who is sent to by which name.
func (r *run) populate(address string, ttl bool) {
	rng := rand.New(rand.NewPCG(r.cfg.Seed, 1))
	var targets []*Target
	for i := range r.cfg.Plain {
		p := NewPlain(fmt.Sprintf("plain-%02d", i), address, r.history)
		r.plain = append(r.plain, p)
	}
	prefixes, groups := map[string]*Target{}, map[string]*Target{}
	var names []string
	for i := range r.cfg.Recipients {
		prefix, group := fmt.Sprintf("to-%c-", 'a'+i%3), fmt.Sprintf("room:%d", i%4)
		id := fmt.Sprintf("%s%02d", prefix, i)
		names = append(names, id)
		r.recipients = append(r.recipients, NewRecipient(id, address, []string{group}, r.history))
		for range 4 { // most messages go to one client
			targets = append(targets, &Target{Kind: ToClient, Name: id, Members: []string{id}})
		}
		member(prefixes, ToPrefix, prefix, id)
		member(groups, ToGroup, group, id)
	}
	for range min(4, len(names)) {
		rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		list := slices.Clone(names[:1+rng.IntN(min(5, len(names)))])
		targets = append(targets, &Target{Kind: ToList, Members: list})
	}
	for i := range 3 {
		if t := prefixes[fmt.Sprintf("to-%c-", 'a'+i)]; t != nil {
			targets = append(targets, t)
		}
	}
	for i := range 4 {
		if t := groups[fmt.Sprintf("room:%d", i)]; t != nil {
			targets = append(targets, t)
		}
	}
	for _, p := range r.plain {
		targets = append(targets, &Target{Kind: ToClient, Name: p.id, Members: []string{p.id}})
	}
	for i := range r.cfg.Senders {
		mix := Mix{Targets: targets, Rate: float64(r.cfg.Rate) / float64(r.cfg.Senders), Window: r.cfg.Window, TTL: ttl}
		r.senders = append(r.senders, NewSender(fmt.Sprintf("from-%02d", i), address, mix, r.cfg.Seed, r.history))
	}
}

func member(of map[string]*Target, kind TargetKind, name, id string) {
	if of[name] == nil {
		of[name] = &Target{Kind: kind, Name: name}
	}
	of[name].Members = append(of[name].Members, id)
}

func (r *run) waiting() []*client {
	var all []*client
	for _, c := range r.recipients {
		all = append(all, &c.client)
	}
	return all
}

func (r *run) clients() []*client {
	all := r.waiting()
	for _, c := range r.plain {
		all = append(all, &c.client)
	}
	for _, c := range r.senders {
		all = append(all, &c.client)
	}
	return all
}
