import { expect, test } from 'vitest'
import { clientAddress, trustedProxies } from './connection.ts'

const trusted = trustedProxies(['10.0.0.0/8', '::1'])

test('nobody is believed about X-Forwarded-For unless it is a trusted proxy', () => {
  expect(clientAddress('203.0.113.9', '1.2.3.4', trusted)).toBe('203.0.113.9')
  expect(clientAddress('10.0.0.1', '1.2.3.4', null)).toBe('10.0.0.1')
})

test('the client is the last address that no trusted proxy stands behind', () => {
  expect(clientAddress('10.0.0.1', '1.2.3.4', trusted)).toBe('1.2.3.4')
  expect(clientAddress('10.0.0.1', '6.6.6.6, 1.2.3.4, 10.9.9.9', trusted)).toBe('1.2.3.4')
  expect(clientAddress('::1', '10.1.1.1', trusted)).toBe('10.1.1.1')
})

test('what is no address ends the chain', () => {
  expect(clientAddress('10.0.0.1', '1.2.3.4, nonsense', trusted)).toBe('10.0.0.1')
})
