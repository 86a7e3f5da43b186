package mysql

// changeIndex reads CREATE INDEX and DROP INDEX from after those words, as the
// clauses of ALTER TABLE that they are. Without a unique key in it, the
// statement has no effect.
func (p *parser) changeIndex(verb string, replace bool, kind keyKind) ([]Effect, error) {
	ifThem := p.accept("IF", "NOT", "EXISTS") || p.accept("IF", "EXISTS")
	name, err := p.ident()
	if err != nil {
		return nil, err
	}
	if p.isUsing() {
		p.skip(2)
	}
	if !p.accept("ON") {
		return nil, syntaxError(p.cursor, "ON")
	}
	n, err := p.named()
	if err != nil {
		return nil, err
	}
	a := newAlteration(n)
	if verb == "DROP" {
		a.drops = []drop{{what: "KEY", name: name, ifExists: ifThem}}
	} else {
		if p.acceptAny("WAIT", "NOWAIT") == "WAIT" {
			p.skip(1)
		}
		rest, err := p.split(true)
		if err != nil {
			return nil, err
		}
		def := &definition{what: defKey, name: name, key: keyNote{kind: kind, ifNotExists: ifThem}}
		if err := p.defineParts(rest[0], def); err != nil {
			return nil, err
		}
		def.name = name
		a.adds = []*addition{{def: def}}
		if replace {
			a.drops = []drop{{what: "KEY", name: name, ifExists: true}}
		}
	}
	effects, err := p.alterWhose(a, verb+" INDEX")
	if err != nil {
		return nil, err
	}
	if e := effects[0]; len(effects) == 1 && (e.After != nil && e.After == e.Before && len(e.Rewrites) == 0 || verb == "CREATE" && kind != uniqueKey && e.Before == nil) {
		return one(Nothing), nil
	}
	return effects, nil
}
